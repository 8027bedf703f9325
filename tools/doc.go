// Package tools is what every tool shares: its definition and JSON Schema, the
// life of a call, sealed cursors, and the words that errors become.
//
// What happens to a call stands on one screen: Toolbox.Run in call.go.
package tools
