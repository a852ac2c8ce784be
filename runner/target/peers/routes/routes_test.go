package routes

import (
	"testing"
	"time"
)

func TestAnswer(t *testing.T) {
	const twice = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"
	for _, test := range []struct {
		method, path, body string
		status             int
		mediaType, want    string
		delay              time.Duration
	}{
		{"GET", "/", "", 200, textType, "Hello, World!", 0},
		{"GET", "/plaintext", "", 200, textType, "Hello, World!", 0},
		{"HEAD", "/plaintext", "", 200, textType, "Hello, World!", 0},
		{"GET", "/json", "", 200, jsonType, `{"message":"Hello, World!"}`, 0},
		{"GET", "/health", "", 200, textType, "ok", 0},
		{"GET", "/pipeline", "", 200, "text/plain", "ok", 0},
		{"GET", "/status/204", "", 204, "", "", 0},
		{"GET", "/status/304", "", 304, "", "", 0},
		{"GET", "/users/42", "", 200, textType, "42", 0},
		{"GET", "/bytes/0", "", 200, octetsType, "", 0},
		{"GET", "/bytes/30", "", 200, octetsType, twice[:30], 0},
		{"GET", "/delay/10", "", 200, textType, "ok", 10 * time.Millisecond},
		{"GET", "/delay/0", "", 200, textType, "ok", 0},
		{"POST", "/echo", "hi", 200, octetsType, "hi", 0},

		{"POST", "/plaintext", "", 404, textType, "there is nothing here\n", 0},
		{"GET", "/echo", "", 404, textType, "there is nothing here\n", 0},
		{"GET", "/users/", "", 404, textType, "there is nothing here\n", 0},
		{"GET", "/users/1/2", "", 404, textType, "there is nothing here\n", 0},
		{"GET", "/bytes/1048577", "", 400, textType, string(badBytes.Body), 0},
		{"GET", "/bytes/-1", "", 400, textType, string(badBytes.Body), 0},
		{"GET", "/delay/60001", "", 400, textType, string(badDelay.Body), 0},
		{"GET", "/delay/x", "", 400, textType, string(badDelay.Body), 0},
	} {
		got := Answer(Request{Method: test.method, Path: test.path, Body: []byte(test.body)})
		if got.Status != test.status || got.Type != test.mediaType || string(got.Body) != test.want || got.Delay != test.delay {
			t.Errorf("%s %s: %d %q %q after %v", test.method, test.path, got.Status, got.Type, got.Body, got.Delay)
		}
	}
	if got := Answer(Request{Method: "POST", Path: "/echo", Type: "a/b"}); got.Type != "a/b" {
		t.Errorf("an echo of type %q", got.Type)
	}
	if got := Answer(Request{Method: "GET", Path: "/bytes/1048576"}); len(got.Body) != 1<<20 || string(got.Body[1<<20-2:]) != "uv" {
		t.Errorf("%d bytes", len(got.Body))
	}
}

func TestAnswerAllocatesNothing(t *testing.T) {
	Answer(Request{Method: "GET", Path: "/bytes/1"})
	for _, path := range []string{"/plaintext", "/json", "/bytes/65536", "/delay/10", "/nothing"} {
		if n := testing.AllocsPerRun(100, func() { Answer(Request{Method: "GET", Path: path}) }); n != 0 {
			t.Errorf("%s: %v allocations", path, n)
		}
	}
}
