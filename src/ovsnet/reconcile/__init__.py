"""From want to is: compares the plan with the host and has appliers write what differs."""
