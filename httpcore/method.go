package httpcore

// Method is a request method that an RFC or the IANA registry knows. MethodUnknown is any other token.
type Method uint8

const (
	MethodUnknown Method = iota
	MethodGet
	MethodHead
	MethodPost
	MethodPut
	MethodDelete
	MethodConnect
	MethodOptions
	MethodTrace
	MethodPatch
	// then those of the IANA registry: ACL … VERSION-CONTROL
)
