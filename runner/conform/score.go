package conform

import "slices"

// Categories are the categories, in the order of tables. One that is not among them stands behind them.
var Categories = []string{"request line", "version", "targets", "Host", "fields", "limits", "Content-Length", "chunked", "transfer codings", "Expect",
	"keep-alive", "pipelining", "HEAD, 204, 304", "fragmentation", "disconnects", "tolerance", responsesCategory, smugglingCategory}

// Score is how many checks of one level passed, of those that are applicable.
type Score struct {
	Passed     int `json:"passed"`
	Applicable int `json:"applicable"`
}

// Scores are those of both levels.
type Scores struct {
	Must         Score `json:"must"`
	Should       Score `json:"should"`
	Inapplicable int   `json:"not_applicable"`
}

// Score counts the checks of a category; "" counts all.
func (r *Report) Score(category string) Scores {
	var s Scores
	for _, c := range r.Checks {
		if category != "" && c.Category != category {
			continue
		}
		of := &s.Should
		if c.Level == Must {
			of = &s.Must
		}
		switch c.Verdict {
		case Inapplicable:
			s.Inapplicable++
		case Pass:
			of.Passed++
			of.Applicable++
		default:
			of.Applicable++
		}
	}
	return s
}

// Categories returns those that the report has checks of, in their order.
func (r *Report) Categories() []string {
	var found []string
	for _, c := range r.Checks {
		if !slices.Contains(found, c.Category) {
			found = append(found, c.Category)
		}
	}
	place := func(category string) int {
		if i := slices.Index(Categories, category); i >= 0 {
			return i
		}
		return len(Categories)
	}
	slices.SortStableFunc(found, func(a, b string) int { return place(a) - place(b) })
	return found
}

// Failed returns the checks of a level that failed.
func (r *Report) Failed(level Level) []Check {
	var failed []Check
	for _, c := range r.Checks {
		if c.Verdict == Fail && c.Level == level {
			failed = append(failed, c)
		}
	}
	return failed
}
