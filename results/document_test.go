package results

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestEscapeMarkdown(t *testing.T) {
	for in, want := range map[string]string{
		"plain text, 0.89 (0.87–0.91)": "plain text, 0.89 (0.87–0.91)",
		"a|b":                          `a\|b`,
		"<script>&amp;":                `\<script\>\&amp;`,
		"[x](javascript:y)":            `\[x\](javascript:y)`,
		"**bold** _it_ `c` ~~s~~":      "\\*\\*bold\\*\\* \\_it\\_ \\`c\\` \\~\\~s\\~\\~",
		`\|`:                           `\\\|`,
		"# head":                       `\# head`,
		"- item":                       `\- item`,
		"+ item":                       `\+ item`,
		"12. item":                     `12\. item`,
		"1) item":                      `1\) item`,
		"---":                          `\---`,
		"===":                          `\===`,
		"0.5 and -5 %":                 "0.5 and -5 %",
		"-5 %":                         "-5 %",
		"$x^2$":                        `\$x^2\$`,
		"two\nlines\r\x1b[31m":         "two lines��\\[31m",
		"\u202Eright to left":          "�right to left",
		"    code":                     "code",
	} {
		if got := escapeMarkdown(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestListingCannotBeLeft(t *testing.T) {
	d := &document{title: "t"}
	d.add(listing{"a", "```", "# out", "`````"})
	if got := d.markdown(); !strings.HasSuffix(got, "\n``````\na\n```\n# out\n`````\n``````\n") {
		t.Errorf("%q", got)
	}
}

func TestFootnotes(t *testing.T) {
	var f footnotes
	marks := []string{f.mark("31 ticks are too few"), f.mark("not there"), f.mark("32 ticks are too few"), f.mark("not there"),
		f.markExactly("32 ticks are too few"), f.markExactly("33 ticks are too few")}
	if got := strings.Join(marks, " "); got != "¹ ² ¹ ² ³ ⁴" {
		t.Errorf("marks %s", got)
	}
	want := "¹ 31 ticks are too few (here in one row, alike in the others)|² not there|³ 32 ticks are too few|⁴ 33 ticks are too few"
	if got := strings.Join(f.lines(), "|"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := superscript(120); got != "¹²⁰" {
		t.Errorf("120 is %s", got)
	}
}

func TestTerminalKeepsItsWidth(t *testing.T) {
	rec := sample(t)
	for _, width := range []int{0, 60, 80, 120, 200} {
		for n, line := range strings.Split(Summary(rec, width, false), "\n") {
			long := strings.HasPrefix(line, "    ") // code is not broken
			if got := utf8.RuneCountInString(line); got > max(width, MinWidth) && !long && strings.Contains(strings.TrimSpace(line), "  ") && width >= 60 {
				t.Errorf("width %d, line %d has %d columns: %s", width, n+1, got, line)
			}
		}
	}
}

// The terminal shows what the Markdown shows: every cell and every note.
func TestTerminalHasAllOfTheReport(t *testing.T) {
	rec := sample(t)
	squeeze := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	text := squeeze(Summary(rec, 100, false))
	for _, p := range newDocument(rec, nil).parts {
		g, ok := p.(*grid)
		if !ok {
			continue
		}
		for _, r := range g.rows {
			for _, cell := range r.cells {
				if !strings.Contains(text, squeeze(printable(cell))) {
					t.Errorf("the terminal lacks the cell %q", cell)
				}
			}
		}
		for _, note := range append(g.facts, g.notes.lines()...) {
			if !strings.Contains(text, squeeze(printable(note))) {
				t.Errorf("the terminal lacks the note %q", note)
			}
		}
	}
}

func TestColourOnlyWhereAsked(t *testing.T) {
	rec := sample(t)
	plain, coloured := Summary(rec, 80, false), Summary(rec, 80, true)
	if strings.Contains(plain, "\x1b") || !strings.Contains(coloured, styleYellow) {
		t.Error("colours where none were asked for, or none where they were")
	}
	for _, style := range []string{styleBold, styleDim, styleYellow, styleEnd} {
		coloured = strings.ReplaceAll(coloured, style, "")
	}
	if coloured != plain {
		t.Error("colours change more than the colours")
	}
}
