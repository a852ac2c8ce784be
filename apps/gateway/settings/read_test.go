package settings

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

type house struct {
	Name  string           `toml:"name"`
	Rooms []*room          `toml:"rooms"`
	Keys  map[string]Bytes `toml:"keys"`
	Door  *door            `toml:"door"`
	place
}

type place struct {
	Street string `toml:"street"`
	Number uint8  `toml:"number"`
}

type room struct {
	Warm  float64  `toml:"warm"`
	Lit   bool     `toml:"lit"`
	Rests Duration `toml:"rests"`
	Beds  []bed    `toml:"beds"`
}

type bed struct {
	For int `toml:"for"`
}

type door struct {
	Lock Secret `toml:"lock"`
}

func TestRead(t *testing.T) {
	var h house
	f := Read("house.toml", []byte(`
name = "mine"
street = "Long"
number = 7
[[rooms]]
warm = 20
lit = true
rests = "1.5s"
[[rooms.beds]]
for = 2
[[rooms]]
beds = [{ for = 1 }, { for = 3 }]
[keys]
"a b" = "2KiB"
[door]
lock = { value = "x" }
`), &h)
	if err := f.Err(); err != nil {
		t.Fatal(err)
	}
	if h.Name != "mine" || h.Street != "Long" || h.Number != 7 || len(h.Rooms) != 2 || h.Rooms[0].Warm != 20 || !h.Rooms[0].Lit ||
		h.Rooms[0].Rests != Duration(1500*time.Millisecond) || h.Rooms[0].Beds[0].For != 2 || h.Rooms[1].Beds[1].For != 3 ||
		h.Keys["a b"] != 2048 || h.Door == nil {
		t.Errorf("%+v", h)
	}
}

func TestFaults(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{"name = 3\nstreat = 1\nnumber = 300", "f:1:1: name: 3 stands where text is expected\n" +
			"f:2:1: streat: no such key is known here; there are door, keys, name, number, rooms, street\nf:3:1: number: 300 is out of range"},
		{"[[rooms]]\nwarm = 1\n[[rooms]]\n  warm = \"hot\"\n  beds = [{ for = 1 }, { four = 2 }]",
			"f:4:3: rooms.1.warm: the text \"hot\" stands where a number is expected\nf:5:26: rooms.1.beds.1.four: no such key is known here; there are for"},
		{"[[rooms]]\n[[rooms.beds]]\nfor = 1\n[[rooms.beds]]\nfor = true", "f:5:1: rooms.0.beds.1.for: true stands where a whole number is expected"},
		{"rooms = 1\nkeys = 1\ndoor = [1]", "f:1:1: rooms: 1 stands where a list is expected\nf:2:1: keys: 1 stands where a table is expected\n" +
			"f:3:1: door: a list stands where a table is expected"},
		{"[keys]\na = \"2 fish\"\n[[rooms]]\nrests = \"1\"", "f:2:1: keys.a: \"2 fish\" is no size; write it like 64KiB or 10MB\n" +
			"f:4:1: rooms.0.rests: \"1\" is no time span; write it like 200ms, 1.5s or 2m"},
		{"name = ", "f:1:"},
		{"name = 1979-05-27T07:32:00Z", "f:1:1: name: the time 1979-05-27 07:32:00 +0000 UTC stands where text is expected"},
		{"name = 'a'\nname = 'b'", "f:"},
	} {
		var h house
		got := fmt.Sprint(Read("f", []byte(c.src), &h).Err())
		if !strings.HasPrefix(got, c.want) || !strings.HasSuffix(c.want, ":") && got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.src, got, c.want)
		}
	}
}

func TestSecret(t *testing.T) {
	t.Setenv("SETTINGS_TEST", "from env")
	for _, c := range []struct {
		s    Secret
		want string
		err  bool
	}{
		{Secret{Value: "v"}, "v", false}, {Secret{Env: "SETTINGS_TEST"}, "from env", false}, {Secret{Env: "SETTINGS_TEST_NOT"}, "", true},
		{Secret{}, "", true}, {Secret{Value: "v", Env: "SETTINGS_TEST"}, "", true}, {Secret{File: "/nowhere"}, "", true},
	} {
		if got, err := c.s.Get(); got != c.want || (err != nil) != c.err {
			t.Errorf("%+v: %q, %v", c.s, got, err)
		}
	}
}

func ExampleRead() {
	var c struct {
		Rate int `toml:"rate"`
	}
	f := Read("limits.toml", []byte("rate = -1\nburst = 3"), &c)
	if c.Rate < 0 {
		f.Add("rate", "must not be negative")
	}
	fmt.Println(f.Err())
	// Output:
	// limits.toml:1:1: rate: must not be negative
	// limits.toml:2:1: burst: no such key is known here; there are rate
}

// FuzzRead reads anything without a panic, and places every fault.
func FuzzRead(f *testing.F) {
	f.Add([]byte("[[rooms]]\nbeds = [{ for = 1 }]\n[rooms.x]"))
	f.Fuzz(func(t *testing.T, src []byte) {
		var h house
		if err := Read("f", src, &h).Err(); err != nil && !strings.HasPrefix(err.Error(), "f:") {
			t.Errorf("%q: %v", src, err)
		}
	})
}
