package results

import (
	"bytes"
	"encoding/xml"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"corelab/results/stacks"
)

// TestEveryLayerHasItsPlace: in a kind, with a short name and a colour of its own.
func TestEveryLayerHasItsPlace(t *testing.T) {
	var inOrder []stacks.Layer
	for _, g := range layerGroups {
		for _, l := range g.layers {
			inOrder = append(inOrder, l)
			if l.Kernel() != (g.name == "kernel") {
				t.Errorf("%s stands with %s", l, g.name)
			}
			if layerHeads[l] == "" {
				t.Errorf("%s has no short name", l)
			}
		}
	}
	if want := slices.DeleteFunc(slices.Clone(stacks.Layers), func(l stacks.Layer) bool { return l == stacks.Idle }); !slices.Equal(inOrder, want) {
		t.Errorf("the kinds have %v, want %v", inOrder, want)
	}
}

// TestLabelsCanBeRead: on every colour, 4.5 to 1 as WCAG asks.
func TestLabelsCanBeRead(t *testing.T) {
	for _, l := range stacks.Layers {
		back, text := luminance(colourOf(l)), luminance(on(colourOf(l)))
		if contrast := (max(back, text) + 0.05) / (min(back, text) + 0.05); contrast < 4.5 {
			t.Errorf("the label on %s has a contrast of %.1f", l, contrast)
		}
	}
}

func TestLayersReport(t *testing.T) {
	rec := profiledSample(t)
	files, err := Report(rec)
	if err != nil {
		t.Fatal(err)
	}
	report := string(files[ReportFile])
	at := strings.Index(report, "### where the CPU time of a request goes")
	if at < 0 {
		t.Fatal("the report has no layers")
	}
	section := report[at:]
	section = section[:4+strings.Index(section[4:], "\n#")+1]
	golden(t, "layers.md", []byte(section))
	golden(t, "layers.svg", files["layers-plaintext.svg"])
	for _, want := range []string{"perf ended early: no permission", "the kernel lost 90 samples", "\\_\\_x64\\_sys\\_mystery", "never ranked", "starved"} {
		if !strings.Contains(section, want) {
			t.Errorf("the report does not say %q", want)
		}
	}
	brief := Summary(rec, 120, false)
	at = strings.Index(brief, "where the CPU time of a request goes")
	if at < 0 {
		t.Fatal("a terminal has no layers")
	}
	golden(t, "layers-120.txt", []byte(brief[at:at+strings.Index(brief[at:], "\ntwo generators\n")]))
}

// TestLayersUnknown: a case of which no profile can be had says so, once, and one that nobody profiled says nothing.
func TestLayersUnknown(t *testing.T) {
	rec := profiledSample(t)
	for i := range rec.Trials {
		if t := &rec.Trials[i]; t.Role == RoleProfiled {
			t.Profiles, t.Missing = nil, []Missing{{"profiles.cpu", "perf is not permitted"}}
		}
	}
	files, err := Report(rec)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(files[ReportFile]), "Not known: perf is not permitted"); n != 1 || files["layers-plaintext.svg"] != nil {
		t.Errorf("the reason stands %d times in the report", n)
	}
	if bare := newDocument(sample(t), map[string][]byte{}).markdown(); strings.Contains(bare, "where the CPU time") {
		t.Error("a record without profiles has a section about them")
	}
}

// textsOf are the texts and the links of an SVG, which must be whole and have no scripts.
func textsOfSVG(t *testing.T, b []byte) (texts, links []string) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(b))
	for {
		token, err := d.Token()
		if err == io.EOF {
			return texts, links
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.CharData:
			if s := strings.TrimSpace(string(token)); s != "" {
				texts = append(texts, s)
			}
		case xml.StartElement:
			if token.Name.Local == "script" || token.Name.Local == "image" || token.Name.Local == "foreignObject" {
				t.Errorf("there is a %s", token.Name.Local)
			}
			for _, a := range token.Attr {
				if a.Name.Local == "href" {
					links = append(links, a.Value)
				}
			}
		}
	}
}

func TestLayersPicture(t *testing.T) {
	files, err := Plots(profiledSample(t))
	if err != nil {
		t.Fatal(err)
	}
	texts, _ := textsOfSVG(t, files["layers-plaintext.svg"])
	for _, want := range []string{"reactor", "mine|*<i>", "TCP transmit", "kernel:"} {
		if !slices.Contains(texts, want) {
			t.Errorf("the picture lacks %q: %q", want, texts)
		}
	}
}

func TestNiceTicks(t *testing.T) {
	for most, want := range map[float64][]float64{
		31.8: {0, 5, 10, 15, 20, 25, 30}, 6.3: {0, 1, 2, 3, 4, 5, 6}, 1: {0, 0.2, 0.4, 0.6000000000000001, 0.8, 1}, 0: nil, math.Inf(1): nil,
	} {
		if got := niceTicks(most, 8); !slices.EqualFunc(got, want, func(a, b float64) bool { return math.Abs(a-b) < 1e-9 }) {
			t.Errorf("ticks to %v: %v, want %v", most, got, want)
		}
	}
}
