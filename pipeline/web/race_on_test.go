//go:build race

package web

// raceOn says that the race detector slows everything down.
const raceOn = true
