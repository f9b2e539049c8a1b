package poll

import (
	"reflect"
	"slices"
	"testing"
	"time"
)

// TestChanged holds the written-out comparison against the type: each field
// counts, but for the times of a quiet poll and the items.
func TestChanged(t *testing.T) {
	t.Parallel()
	quiet := []string{"LastPoll", "LastSuccess", "NextDue", "NotBefore", "LastFull", "LastQuiet", "Items"}
	var touch func(v reflect.Value, path string, f func(path string))
	touch = func(v reflect.Value, path string, f func(path string)) {
		was := reflect.New(v.Type()).Elem()
		was.Set(v)
		defer v.Set(was)
		switch v.Kind() {
		case reflect.String:
			v.SetString("x")
		case reflect.Int, reflect.Int32, reflect.Int64:
			v.SetInt(7)
		case reflect.Uint64:
			v.SetUint(7)
		case reflect.Bool:
			v.SetBool(true)
		case reflect.Slice:
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		case reflect.Map:
			v.Set(reflect.MakeMap(v.Type()))
		case reflect.Struct:
			if v.Type() == reflect.TypeFor[time.Time]() {
				v.Set(reflect.ValueOf(noon))
				break
			}
			for i := range v.NumField() {
				touch(v.Field(i), path+"."+v.Type().Field(i).Name, f)
			}
			return
		default:
			t.Fatalf("%s is a %s: teach this test what that is", path, v.Kind())
		}
		f(path)
	}
	var st State
	v := reflect.ValueOf(&st).Elem()
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		touch(v.Field(i), name, func(path string) {
			if got, want := changed(State{}, st), !slices.Contains(quiet, name); got != want {
				t.Errorf("%s: changed is %v, want %v", path, got, want)
			}
		})
	}
	if changed(st, State{}) {
		t.Error("nothing changed")
	}
}
