package lab

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

// document is what a client makes of /json/:count.
type document struct {
	Items []struct {
		ID       int      `json:"id"`
		Name     string   `json:"name"`
		Category string   `json:"category"`
		Price    int      `json:"price"`
		Quantity int      `json:"quantity"`
		Active   *bool    `json:"active"`
		Tags     []string `json:"tags"`
		Rating   struct {
			Score int `json:"score"`
			Count int `json:"count"`
		} `json:"rating"`
		Total *int `json:"total"`
	} `json:"items"`
	Count int `json:"count"`
}

func TestItemsGolden(t *testing.T) {
	const golden = "testdata/json-50-m6.json"
	d := newDriver(t, nil)
	defer d.end()
	got := d.request("GET", "/json/50?m=6", "", "").body
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("/json/50?m=6 is not %s any more; figures would not compare with earlier ones", golden)
	}
}

// TestItems checks what HttpArena's validator checks: the count, a total in every item, and its value.
func TestItems(t *testing.T) {
	for _, test := range []struct {
		target   string
		count, m int
	}{
		{"/json/0?m=3", 0, 3}, {"/json/1", 1, 1}, {"/json/12?m=3", 12, 3}, {"/json/22?m=7", 22, 7}, {"/json/31?m=2", 31, 2},
		{"/json/50?m=5", 50, 5}, {"/json/51?x=9&m=-4", 50, -4}, {"/json/50?m=1000000000", 50, 1e9}, {"/json/50?m=-1000000000", 50, -1e9},
	} {
		d := newDriver(t, nil)
		got := d.request("GET", test.target, "", "")
		var doc document
		if err := json.Unmarshal([]byte(got.body), &doc); err != nil {
			t.Fatalf("%s: %v in %q", test.target, err, got.body)
		}
		if got.Header.Get("Content-Type") != jsonType || doc.Count != test.count || len(doc.Items) != test.count {
			t.Errorf("%s: %s, count %d, %d items", test.target, got.Header.Get("Content-Type"), doc.Count, len(doc.Items))
		}
		for i, it := range doc.Items {
			if it.ID != i+1 || it.Total == nil || *it.Total != it.Price*it.Quantity*test.m || it.Active == nil || len(it.Tags) == 0 {
				t.Errorf("%s: item %d is %+v", test.target, i, it)
			}
		}
		if room := itemsRoom[test.count]; len(got.body) > room {
			t.Errorf("%s: %d bytes do not fit into %d", test.target, len(got.body), room)
		}
		d.end()
	}
}

func TestBadItems(t *testing.T) {
	d := newDriver(t, nil)
	defer d.end()
	for _, target := range []string{"/json/x", "/json/-1", "/json/1?m=x", "/json/1?m=", "/json/1?m=1000000001", "/json/1?m=1.5"} {
		if got := d.request("GET", target, "", ""); got.StatusCode != 400 {
			t.Errorf("%s: got %d %q", target, got.StatusCode, got.body)
		}
	}
}

// TestAppendString compares with encoding/json.
func TestAppendString(t *testing.T) {
	for _, s := range []string{"", "plain", `a "quoted" \ one`, "line\nend\r\t\x00\x1f", "ä€😀", "\xff bad \xc3", "tail\xe2\x82"} {
		var back string
		if err := json.Unmarshal(appendString(nil, s), &back); err != nil {
			t.Errorf("%q: %v in %s", s, err, appendString(nil, s))
			continue
		}
		var want string
		b, _ := json.Marshal(s)
		if err := json.Unmarshal(b, &want); err != nil || back != want {
			t.Errorf("%q: comes back as %q, not %q", s, back, want)
		}
	}
}

func ExampleRoutes() {
	for _, r := range Routes(Config{})[:5] {
		fmt.Println(r.Method, r.Pattern)
	}
	// Output:
	// GET /
	// GET /plaintext
	// GET /cacheable
	// GET /json
	// GET /json/:count
}
