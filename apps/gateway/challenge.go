package gateway

import (
	"fmt"
	"strings"

	"corelab/apps/gateway/signature"
	"corelab/apps/gateway/token"
)

// refusals are the answers of the stage auth, made when the configuration is loaded: the same for all routes that take the
// same credentials and permissions.
type refusals struct {
	missing    Answer // no credential that is taken here
	badRequest Answer // more than one of a kind, or none that can be read
	badKey     Answer
	badContent Answer
	forbidden  Answer // who asks is known, and may not
	busy       Answer // it can't be found out now
	tokens     [token.Refusals]Answer
	signatures [signature.Refusals]Answer
}

// newRefusals makes the answers. Each 401 has a challenge for every kind of credential that is taken (RFC 9110 §11.6.1,
// RFC 6750 §3); for API keys there is no registered scheme.
func newRefusals(c *AuthConfig, a *auth, permissions []string) *refusals {
	bearer := func(more string) string {
		if !a.jwt {
			return ""
		}
		return fmt.Sprintf("WWW-Authenticate: Bearer realm=\"%s\"%s\r\n", c.Realm, more)
	}
	others := ""
	if a.key {
		others += fmt.Sprintf("WWW-Authenticate: ApiKey realm=\"%s\", field=\"%s\"\r\n", c.Realm, c.KeyField)
	}
	if a.signed {
		others += fmt.Sprintf("WWW-Authenticate: Signature realm=\"%s\"\r\n", c.Realm) +
			"Accept-Signature: s=(\"@method\" \"@path\" \"@query\" \"content-digest\");created;nonce;keyid;alg=\"hmac-sha256\"\r\n" // RFC 9421 §5.1
	}
	f := &refusals{
		missing:    refusal(401, "no credential that is taken here", bearer("")+others),
		badRequest: refusal(401, "the credential can't be read, or there are several", bearer(`, error="invalid_request"`)+others),
		badKey:     refusal(401, "the key is not known", bearer("")+others),
		badContent: refusal(401, errContent.Error(), bearer("")+others),
		busy:       refusal(503, "the credential can't be verified now", "Retry-After: 1\r\n"),
	}
	scope := fmt.Sprintf(`, error="insufficient_scope", scope="%s"`, strings.Join(permissions, " "))
	f.forbidden = refusal(403, "that may not be done with this credential", bearer(scope))
	for i := range f.tokens {
		why := token.Refusal(i).Error()
		f.tokens[i] = refusal(401, why, bearer(fmt.Sprintf(`, error="invalid_token", error_description="%s"`, why))+others)
	}
	for i := range f.signatures {
		f.signatures[i] = refusal(401, signature.Refusal(i).Error(), bearer("")+others)
	}
	f.signatures[signature.Full] = refusal(503, signature.Full.Error(), "Retry-After: 1\r\n")
	return f
}

// refusal is an answer with a sentence as its content.
func refusal(status int, why, fields string) Answer {
	lines := []byte(fields) // clipped: all shards share it, and a later stage may append
	return Answer{Status: status, Type: "text/plain; charset=utf-8", Body: []byte(why + "\n"), Fields: lines[:len(lines):len(lines)]}
}
