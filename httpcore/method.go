package httpcore

// Method is a request method that the IANA registry of RFC 9110 §16.1 knows. MethodUnknown is any other token.
type Method uint8

// The methods of RFC 9110 and PATCH, then the others of the registry in their alphabetical order.
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
	MethodACL
	MethodBaselineControl
	MethodBind
	MethodCheckin
	MethodCheckout
	MethodCopy
	MethodLabel
	MethodLink
	MethodLock
	MethodMerge
	MethodMkActivity
	MethodMkCalendar
	MethodMkCol
	MethodMkRedirectRef
	MethodMkWorkspace
	MethodMove
	MethodOrderPatch
	MethodPri
	MethodPropFind
	MethodPropPatch
	MethodQuery
	MethodRebind
	MethodReport
	MethodSearch
	MethodUnbind
	MethodUncheckout
	MethodUnlink
	MethodUnlock
	MethodUpdate
	MethodUpdateRedirectRef
	MethodVersionControl

	numMethods
)

var methodNames = [numMethods]string{
	MethodUnknown:           "",
	MethodGet:               "GET",
	MethodHead:              "HEAD",
	MethodPost:              "POST",
	MethodPut:               "PUT",
	MethodDelete:            "DELETE",
	MethodConnect:           "CONNECT",
	MethodOptions:           "OPTIONS",
	MethodTrace:             "TRACE",
	MethodPatch:             "PATCH",
	MethodACL:               "ACL",
	MethodBaselineControl:   "BASELINE-CONTROL",
	MethodBind:              "BIND",
	MethodCheckin:           "CHECKIN",
	MethodCheckout:          "CHECKOUT",
	MethodCopy:              "COPY",
	MethodLabel:             "LABEL",
	MethodLink:              "LINK",
	MethodLock:              "LOCK",
	MethodMerge:             "MERGE",
	MethodMkActivity:        "MKACTIVITY",
	MethodMkCalendar:        "MKCALENDAR",
	MethodMkCol:             "MKCOL",
	MethodMkRedirectRef:     "MKREDIRECTREF",
	MethodMkWorkspace:       "MKWORKSPACE",
	MethodMove:              "MOVE",
	MethodOrderPatch:        "ORDERPATCH",
	MethodPri:               "PRI",
	MethodPropFind:          "PROPFIND",
	MethodPropPatch:         "PROPPATCH",
	MethodQuery:             "QUERY",
	MethodRebind:            "REBIND",
	MethodReport:            "REPORT",
	MethodSearch:            "SEARCH",
	MethodUnbind:            "UNBIND",
	MethodUncheckout:        "UNCHECKOUT",
	MethodUnlink:            "UNLINK",
	MethodUnlock:            "UNLOCK",
	MethodUpdate:            "UPDATE",
	MethodUpdateRedirectRef: "UPDATEREDIRECTREF",
	MethodVersionControl:    "VERSION-CONTROL",
}

// String returns the method as it is sent, or "" for MethodUnknown.
func (m Method) String() string {
	if m >= numMethods {
		return ""
	}
	return methodNames[m]
}

// methodOf returns the method of that name, which is case-sensitive (RFC 9110 §9.1). The usual ones are found at once,
// the others by a walk through the names.
func methodOf(b []byte) Method {
	switch string(b) {
	case "GET":
		return MethodGet
	case "HEAD":
		return MethodHead
	case "POST":
		return MethodPost
	case "PUT":
		return MethodPut
	}
	for m := MethodDelete; m < numMethods; m++ {
		if string(b) == methodNames[m] {
			return m
		}
	}
	return MethodUnknown
}
