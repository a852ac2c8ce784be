package conform

import "testing"

func TestCasesParse(t *testing.T) {
	cases, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Log(c.ID, c.Level, c.Section)
	}
}
