package gateway

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/textproto"
	"net/url"
	"os"
	"strings"
	"time"
)

const (
	remoteTime = 10 * time.Second // of one fetch
	maxRemote  = 1 << 20          // bytes of an answer
)

// remote is a document that is fetched by GET. It speaks HTTP/1.0, whose answers end with their connection and are never
// chunked (RFC 9112 §6.1): all that is needed for a document every few minutes. It follows no redirect.
type remote struct {
	url   *url.URL
	roots *x509.CertPool // nil: the system's
}

// parseRemote reads an https URL, or an http one of this machine: what comes in the clear over a network is no key.
func parseRemote(text, ca string) (*remote, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, err
	}
	host, err := netip.ParseAddr(u.Hostname())
	local := err == nil && host.IsLoopback()
	switch {
	case u.Host == "" || u.User != nil || u.Fragment != "" || u.Opaque != "":
		return nil, fmt.Errorf("%q is no URL of a document", text)
	case u.Scheme != "https" && !(u.Scheme == "http" && local):
		return nil, fmt.Errorf("%q: https, or http from a loopback address", text)
	}
	r := &remote{url: u}
	if ca != "" {
		b, err := os.ReadFile(ca)
		if err != nil {
			return nil, err
		}
		r.roots = x509.NewCertPool()
		if !r.roots.AppendCertsFromPEM(b) {
			return nil, fmt.Errorf("%s has no certificate", ca)
		}
	}
	return r, nil
}

// get fetches the document.
func (r *remote) get() ([]byte, error) {
	b, err := r.exchange()
	if err != nil {
		return nil, fmt.Errorf("GET %s: %w", r.url, err)
	}
	return b, nil
}

func (r *remote) exchange() ([]byte, error) {
	port := r.url.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[r.url.Scheme]
	}
	deadline := time.Now().Add(remoteTime)
	conn, err := net.DialTimeout("tcp", net.JoinHostPort(r.url.Hostname(), port), remoteTime)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	conn.SetDeadline(deadline)
	if r.url.Scheme == "https" {
		conn = tls.Client(conn, &tls.Config{ServerName: r.url.Hostname(), RootCAs: r.roots, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}})
	}
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.0\r\nHost: %s\r\nAccept: application/jwk-set+json, application/json\r\n\r\n", r.url.RequestURI(), r.url.Host); err != nil {
		return nil, err
	}
	return document(conn)
}

// document reads an answer of 200, whole: to its announced length, or to the end.
func document(in io.Reader) ([]byte, error) {
	limited := &io.LimitedReader{R: in, N: maxRemote}
	buffered := bufio.NewReader(limited)
	head := textproto.NewReader(buffered)
	line, err := head.ReadLine()
	if err != nil {
		return nil, err
	}
	version, rest, _ := strings.Cut(line, " ")
	if status, _, _ := strings.Cut(rest, " "); !strings.HasPrefix(version, "HTTP/1.") || status != "200" {
		return nil, fmt.Errorf("the answer is %.60q", line)
	}
	fields, err := head.ReadMIMEHeader()
	if err != nil {
		return nil, err
	}
	if coding := fields.Get("Transfer-Encoding"); coding != "" {
		return nil, fmt.Errorf("an answer to HTTP/1.0 with Transfer-Encoding %q", coding)
	}
	body := io.Reader(buffered)
	length := int64(-1)
	if text := fields.Get("Content-Length"); text != "" {
		if _, err := fmt.Sscan(text, &length); err != nil || length < 0 {
			return nil, fmt.Errorf("Content-Length is %q", text)
		}
		body = io.LimitReader(buffered, length)
	}
	b, err := io.ReadAll(body)
	switch {
	case err != nil:
		return nil, err
	case limited.N == 0:
		return nil, fmt.Errorf("the answer is longer than %d bytes", maxRemote)
	case length >= 0 && int64(len(b)) < length:
		return nil, errors.New("the answer is cut short")
	}
	return b, nil
}
