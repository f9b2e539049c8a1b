package feed

import (
	"reflect"
	"testing"
	"time"
)

// TestItemEqual: no field is forgotten.
func TestItemEqual(t *testing.T) {
	t.Parallel()
	var vary func(at []int, typ reflect.Type)
	vary = func(at []int, typ reflect.Type) {
		for i := range typ.NumField() {
			path, f := append(append([]int{}, at...), i), typ.Field(i)
			if f.Type == reflect.TypeFor[Source]() {
				vary(path, f.Type)
				continue
			}
			var it Item
			v := reflect.ValueOf(&it).Elem().FieldByIndex(path)
			switch x := v.Addr().Interface().(type) {
			case *string:
				*x = "x"
			case *[]string:
				*x = []string{"x"}
			case *time.Time:
				*x = time.Unix(1, 0)
			case *bool:
				*x = true
			case *int:
				*x = 1
			default:
				t.Fatalf("%s is a %s", f.Name, f.Type)
			}
			if it.Equal(Item{}) || !it.Equal(it) {
				t.Errorf("Equal does not look at %s", f.Name)
			}
		}
	}
	vary(nil, reflect.TypeFor[Item]())
}
