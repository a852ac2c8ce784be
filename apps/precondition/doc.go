// Package precondition says whether a GET or HEAD is to be carried out, by the conditional fields of the request and the
// validators of what it asks for, RFC 9110 §13. It answers nothing by itself: an app asks [Evaluate] and replies.
package precondition
