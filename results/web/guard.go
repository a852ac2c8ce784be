package web

import (
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
)

// policy is what a page of ours may do: nothing but what is embedded here, and no script in the page itself.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// ServeHTTP answers GET and HEAD for the hosts that this site is served as.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "SAMEORIGIN")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-cache")
	switch {
	case !hostAllowed(r.Host, s.options.Address):
		// Plain text: whoever asked under a strange name gets nothing of ours to run.
		http.Error(w, "This is corelab's page of recorded runs, and it is not served under that host's name.\n"+
			"Open it as http://localhost or by the address that \"corelab web\" printed.", http.StatusMisdirectedRequest)
	case !askedForByOurselves(r.Header):
		http.Error(w, "Pages of other sites may link here, and take nothing from here.", http.StatusForbidden)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "Only GET and HEAD: these pages change nothing.", http.StatusMethodNotAllowed)
	default:
		s.mux.ServeHTTP(w, r)
	}
}

// askedForByOurselves reports whether a request comes from one of these pages, or from whoever follows a link or types an address.
// A strange page could not read the answer, but it could take up the places of those who watch. What is no browser says nothing of
// it, and is no danger: it is told nothing that it could not read in the folder.
func askedForByOurselves(h http.Header) bool {
	switch h.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
		return true
	}
	return h.Get("Sec-Fetch-Mode") == "navigate"
}

// hostAllowed reports whether a request for that host, as its Host header says, is meant for a site that is served at address. A
// page of another name that was made to resolve to this machine (DNS rebinding) still says its own name here. The port is not
// looked at: it may be forwarded.
func hostAllowed(host, address string) bool {
	name := hostname(host)
	switch name {
	case "":
		return false
	case "localhost", "127.0.0.1", "::1":
		return true
	}
	if address == "" {
		return false
	}
	bound := hostname(address)
	ip, err := netip.ParseAddr(bound)
	if bound != "" && (err != nil || !ip.IsUnspecified()) {
		return name == bound
	}
	// Served at all addresses of the machine: an address cannot be made to resolve to another one, and its own name is its own.
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	own, err := os.Hostname()
	return err == nil && name == strings.ToLower(own)
}

// hostname is the host in HOST:PORT, HOST or [HOST], in lower case, without the point that ends a full name.
func hostname(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(address, "["), "]")
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
