package conform

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Rule is what every answer must be, whatever was asked.
type Rule struct {
	ID      string `json:"id"`
	Section string `json:"section"`
	Level   Level  `json:"level"`
	Why     string `json:"why"`
}

// The rules' places in Rules.
const (
	ruleStatusLine = iota
	ruleFieldSyntax
	ruleFraming
	ruleExact
	ruleBare
	ruleNoFraming
	ruleDate
	ruleOnce
	ruleAllow
	ruleDemands
	ruleModified
	ruleInterim
	ruleCloses
	ruleCloseTold
	ruleVersion
	ruleType
	ruleExplained
	ruleCount
)

// Rules is every rule. Each is one check in category responses, over all answers of a run.
var Rules = [ruleCount]Rule{
	ruleStatusLine:  {"responses/status-line", "RFC 9112 §4", Must, "An answer begins with HTTP-version SP three digits SP, then a reason without control characters, or none, then CRLF."},
	ruleFieldSyntax: {"responses/field-syntax", "RFC 9112 §5", Must, "Each field line is a token, a colon at once, and a value without control characters; none is folded, and each ends with CRLF."},
	ruleFraming:     {"responses/framing", "RFC 9112 §6.1, §6.2", Must, "One Content-Length of digits, or one Transfer-Encoding, never both; a transfer coding is not sent to HTTP/1.0."},
	ruleExact:       {"responses/exact-content", "RFC 9110 §8.6, RFC 9112 §7.1", Must, "The content is exactly as long as announced, and chunks are well-formed to the last."},
	ruleBare:        {"responses/no-content", "RFC 9110 §6.4.1", Must, "No content follows an answer to HEAD, nor a 1xx, 204 or 304."},
	ruleNoFraming:   {"responses/no-length", "RFC 9110 §8.6, RFC 9112 §6.1", Must, "Neither Content-Length nor Transfer-Encoding stands in a 1xx or 204."},
	ruleDate:        {"responses/date", "RFC 9110 §6.6.1, §5.6.7", Must, "An origin server with a clock sends Date with every 2xx, 3xx and 4xx answer, once, as an IMF-fixdate."},
	ruleOnce:        {"responses/field-once", "RFC 9110 §5.3", Must, "A field whose value is no list is sent at most once."},
	ruleAllow:       {"responses/allow", "RFC 9110 §15.5.6", Must, "A 405 names the methods that the resource allows."},
	ruleDemands:     {"responses/required-fields", "RFC 9110 §15.5.2, §15.5.22, §15.3.7", Must, "A 401 has WWW-Authenticate, a 426 has Upgrade, a 206 has Content-Range or multipart content."},
	ruleModified:    {"responses/last-modified", "RFC 9110 §8.8.2.1", Must, "Last-Modified is not later than Date."},
	ruleInterim:     {"responses/interim", "RFC 9110 §15.2, §15.2.2", Must, "No interim answer goes to HTTP/1.0, and no protocol is switched that nobody asked for."},
	ruleCloses:      {"responses/close-is-close", "RFC 9112 §9.6", Must, "A server that sent the close option closes the connection behind that answer, and sends nothing more."},
	ruleCloseTold:   {"responses/close-is-told", "RFC 9112 §9.6", Should, "A server that closes behind an answer says so in it, with the close option."},
	ruleVersion:     {"responses/version", "RFC 9110 §2.5", Should, "The version is the highest that the server conforms to: HTTP/1.1."},
	ruleType:        {"responses/content-type", "RFC 9110 §8.3", Should, "An answer with content has a Content-Type."},
	ruleExplained:   {"responses/explained", "RFC 9110 §15.5, §15.6", Should, "An error's content says what is wrong, but in an answer to HEAD."},
}

// finding is what came of one rule in one conversation.
type finding struct {
	looked int    // answers that the rule applied to
	broken int    // that broke it
	detail string // of the first
}

// findings are those of one conversation, by rule.
type findings [ruleCount]finding

func (f *findings) look(rule int) { f[rule].looked++ }

func (f *findings) broke(rule int, format string, args ...any) {
	if f[rule].broken++; f[rule].broken == 1 {
		f[rule].detail = fmt.Sprintf(format, args...)
	}
}

// demand looks at the rule, and notes that it is broken unless it holds.
func (f *findings) demand(rule int, holds bool, format string, args ...any) {
	if f.look(rule); !holds {
		f.broke(rule, format, args...)
	}
}

// singles are fields that are no lists, of those that servers send.
var singles = []string{"Age", "Content-Location", "Content-Range", "Content-Type", "Date", "ETag", "Expires", "Last-Modified", "Location", "Retry-After", "Server"}

// head judges the head of an answer.
func (f *findings) head(a *Answer) {
	status := fmt.Sprintf("status %d", a.Status)
	f.demand(ruleVersion, a.Minor == 1, "%s: HTTP/1.%d", status, a.Minor)
	if a.Status < 200 || a.Status == 204 {
		f.demand(ruleNoFraming, a.count("Content-Length") == 0 && a.count("Transfer-Encoding") == 0, "%s: %s", status, a.framingFields())
	}
	if a.Status < 200 {
		f.demand(ruleInterim, !a.toOld && a.Status != 101, "%s", status)
		return
	}
	if a.Status < 500 || a.count("Date") > 0 {
		f.date(a)
	}
	again := slices.IndexFunc(singles, func(name string) bool { return a.count(name) > 1 })
	f.demand(ruleOnce, again < 0, "%s: %s twice", status, singles[max(again, 0)])
	switch a.Status {
	case 405:
		f.demand(ruleAllow, a.count("Allow") > 0, "405 without Allow")
	case 401:
		f.demand(ruleDemands, a.count("WWW-Authenticate") > 0, "401 without WWW-Authenticate")
	case 426:
		f.demand(ruleDemands, a.count("Upgrade") > 0, "426 without Upgrade")
	case 206:
		mediaType, _ := a.Field("Content-Type")
		f.demand(ruleDemands, a.count("Content-Range") > 0 || strings.HasPrefix(strings.ToLower(mediaType), "multipart/"), "206 without Content-Range")
	}
	if v, found := a.Field("Last-Modified"); found {
		modified, err := http.ParseTime(v)
		sent, _ := a.Field("Date")
		date, dateErr := http.ParseTime(sent)
		f.demand(ruleModified, err == nil && (dateErr != nil || !modified.After(date)), "Last-Modified: %s, Date: %s", show([]byte(v)), show([]byte(sent)))
	}
}

// date judges the Date, RFC 9110 §5.6.7.
func (f *findings) date(a *Answer) {
	v, found := a.Field("Date")
	t, err := time.Parse(http.TimeFormat, v)
	switch n := a.count("Date"); {
	case !found:
		f.demand(ruleDate, false, "status %d without Date", a.Status)
	case n > 1:
		f.demand(ruleDate, false, "status %d: %d Date", a.Status, n)
	default:
		f.demand(ruleDate, err == nil && t.Format(http.TimeFormat) == v, "status %d, Date: %s", a.Status, show([]byte(v)))
	}
}

// body judges an answer that was read whole.
func (f *findings) body(a *Answer) {
	if a.Status < 200 || a.bare() {
		return
	}
	if len(a.Body) > 0 {
		f.demand(ruleType, a.count("Content-Type") > 0, "status %d with %d bytes and no Content-Type", a.Status, len(a.Body))
	}
	if a.Status >= 400 {
		f.demand(ruleExplained, len(a.Body) > 0, "status %d without content", a.Status)
	}
}

// framingFields shows what should not be there.
func (a *Answer) framingFields() string {
	var found []string
	for _, f := range a.Fields {
		if strings.EqualFold(f[0], "Content-Length") || strings.EqualFold(f[0], "Transfer-Encoding") {
			found = append(found, f[0]+": "+f[1])
		}
	}
	return show([]byte(strings.Join(found, ", ")))
}
