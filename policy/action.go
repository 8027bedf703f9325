package policy

// An Action is what a scope allows its holder to do.
type Action string

// NoAction is for a tool that only tells a caller its own rules. A call with
// it reaches no workspace.
const NoAction Action = ""

// Read lets a caller read repositories and branches.
const Read Action = "read"

// comingActions have no tool yet. A scope that names one is refused: a power
// that is granted today and comes alive with a later release would surprise
// the admin who granted it.
var comingActions = map[Action]bool{"comment": true, "propose": true, "merge": true, "build": true}
