"""Why a device is not used here: facts, rules, findings."""
