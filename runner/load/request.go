package load

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// request is what one write sends: s.Depth requests one after the other.
func request(s Spec) ([]byte, error) {
	u, err := url.Parse(s.URL)
	if err != nil {
		return nil, fmt.Errorf("URL: %w", err)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", s.Method, u.RequestURI())
	if !given(s.Header, "Host") {
		fmt.Fprintf(&b, "Host: %s\r\n", u.Host)
	}
	for _, h := range s.Header {
		b.WriteString(h)
		b.WriteString("\r\n")
	}
	if s.NewConn && !given(s.Header, "Connection") {
		b.WriteString("Connection: close\r\n")
	}
	// RFC 9110 §8.6: a method that expects content announces its absence too.
	if len(s.Body) > 0 || s.Method == "POST" || s.Method == "PUT" || s.Method == "PATCH" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(s.Body))
	}
	b.WriteString("\r\n")
	b.Write(s.Body)
	return bytes.Repeat(b.Bytes(), s.Depth), nil
}

// given says whether the lines have a field of that name.
func given(header []string, name string) bool {
	for _, h := range header {
		if n, _, _ := strings.Cut(h, ":"); strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

// resolve finds the address that a URL names. A name with several addresses gives the first one.
func resolve(rawURL string) (netip.AddrPort, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("URL: %w", err)
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	a, err := net.ResolveTCPAddr("tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("resolve %s: %w: check the host's name, or give its address", u.Host, err)
	}
	p := a.AddrPort()
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port()), nil
}
