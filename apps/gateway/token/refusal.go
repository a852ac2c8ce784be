package token

// Refusal says why a token is not accepted; zero is none. It is an error whose text may be shown to the client: it says
// nothing of the keys.
type Refusal uint8

const (
	Malformed     Refusal = iota + 1 // no JWS of compact form with a JSON object as header and claims, RFC 7515 §7.1, RFC 7519 §7.2
	Duplicate                        // a header parameter or claim is there twice, RFC 7515 §4, RFC 7519 §4
	TooLong                          // longer than Rules.MaxBytes
	Critical                         // extensions that must be understood, RFC 7515 §4.1.11: none is
	WrongType                        // not the typ of Rules, RFC 8725 §3.11
	WrongAlg                         // alg is not that of the key, none among others, RFC 8725 §3.1
	UnknownKey                       // no key that kid may mean
	WrongMAC                         // the signature is not of these bytes by that key
	Expired                          // RFC 7519 §4.1.4
	Eternal                          // no exp, where Rules demand one
	TooEarly                         // RFC 7519 §4.1.5
	IssuedLater                      // iat lies ahead, RFC 7519 §4.1.6
	TooOld                           // iat is longer ago than Rules.MaxAge, or missing
	WrongIssuer                      // RFC 7519 §4.1.1
	WrongAudience                    // RFC 7519 §4.1.3
	NoSubject                        // no sub to tell consumers apart by, RFC 7519 §4.1.2
	Revoked                          // by its jti, its subject or its key
	numRefusals

	// Refusals is how many there are, 0 included.
	Refusals = int(numRefusals)
)

var refusals = [numRefusals]string{
	0:             "the token is accepted",
	Malformed:     "the token is malformed",
	Duplicate:     "the token has a duplicate member",
	TooLong:       "the token is too long",
	Critical:      "the token demands an extension that is not understood",
	WrongType:     "the token is of another type",
	WrongAlg:      "the token is signed by an algorithm that is not accepted",
	UnknownKey:    "the token is signed by a key that is not known",
	WrongMAC:      "the signature is wrong",
	Expired:       "the token has expired",
	Eternal:       "the token has no expiry",
	TooEarly:      "the token is not valid yet",
	IssuedLater:   "the token was issued in the future",
	TooOld:        "the token was issued too long ago",
	WrongIssuer:   "the token is of another issuer",
	WrongAudience: "the token is for another audience",
	NoSubject:     "the token has no subject",
	Revoked:       "the token is revoked",
}

// Error is a sentence for the client.
func (r Refusal) Error() string {
	if r >= numRefusals {
		return "the token is refused"
	}
	return refusals[r]
}
