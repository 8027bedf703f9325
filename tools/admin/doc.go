// Package admin holds the tools of an admin, one file for each subject. They
// are a face of the management service and hold no rule of their own: a tool
// reads its arguments, asks the service, and shapes a small closed answer.
//
// No answer holds a secret. A key may come in as an argument, or past the model
// at a one-time link; it never goes out.
package admin
