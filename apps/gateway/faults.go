package gateway

import "corelab/apps/gateway/settings"

// Faults is everything that is wrong with a configuration, each with its place.
type Faults = settings.Faults
