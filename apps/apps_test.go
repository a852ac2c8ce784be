package apps

import (
	"fmt"
	"testing"
)

func TestEveryAppHasARouter(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range Apps {
		if seen[a.Name] || a.Name == "" || a.Doc == "" {
			t.Errorf("app %q: the name must be its own, and the doc must say something", a.Name)
		}
		seen[a.Name] = true
		if _, err := a.Router(Config{}); err != nil {
			t.Error(err)
		}
	}
}

func ExampleFind() {
	app, found := Find("lab")
	fmt.Println(app.Name, found)
	_, found = Find("shop")
	fmt.Println(found)
	// Output:
	// lab true
	// false
}
