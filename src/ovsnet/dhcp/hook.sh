#!/bin/sh
# What dhcpcd runs at every event (dhcpcd-run-hooks(8)). It changes nothing on the interface: it writes down what was
# said, in the folder of the lease, and says that there is news. The agent, this one or the next, does the rest.
#
# ovsnet_folder, ovsnet_news and ovsnet_sandbox come from the client's configuration.

# The client outlives the agent, and not the container: whose namespace is gone or another gets its lease released.
# Of a process its folder is asked for, because looking into the namespace of one with more rights is refused.
case $ovsnet_sandbox in
/proc/*) [ -d "${ovsnet_sandbox%/ns/net}" ] ;;
*) [ "net:[$(stat -L -c %i "$ovsnet_sandbox" 2>/dev/null)]" = "$(readlink /proc/self/ns/net)" ] ;;
esac || {
    # Later: while it waits for the end of this program dhcpcd loses signals.
    case $reason in STOP*) ;; *) { sleep 1 && kill -ALRM "$pid"; } & ;; esac
    exit 0
}

case $reason in
BOUND | RENEW | REBIND | REBOOT | EXPIRE | NAK) family=4 ;;
BOUND6 | RENEW6 | REBIND6 | REBOOT6 | EXPIRE6) family=6 ;;
*) exit 0 ;;
esac
env >"$ovsnet_folder/.v$family" && mv "$ovsnet_folder/.v$family" "$ovsnet_folder/v$family"
# Opened for reading, too: that never waits for somebody at the other end.
[ -p "$ovsnet_news" ] && echo 1<>"$ovsnet_news"
exit 0
