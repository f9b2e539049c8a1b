//go:build race

package feed

// slowdown is what the race detector costs.
const slowdown = 20
