#!/bin/sh
# launch.sh FOLDER KEPT NEWS PROGRAM [ARGUMENT]... - run by the agent in the container's network namespace, in a mount
# namespace that nobody else uses: become the client.
#
# dhcpcd names its files after the interface, and every container may have an eth1: so each client sees folders of its
# own, FOLDER for its process and KEPT for its leases. It may send and receive, and drop its rights; it may not change
# the interface (no CAP_NET_ADMIN), because that is done by the agent, which knows what is wanted.
set -eu
folder=$1 kept=$2 news=$3
shift 3
mkdir -p /run/dhcpcd /var/lib/dhcpcd
mount --bind "$folder" /run/dhcpcd
mount --bind "$kept" /var/lib/dhcpcd
exec </dev/null >"$folder/log" 2>&1
# With the time it was started: a number alone may be another process's by the time somebody looks (proc(5)).
echo "$$ $(cut -d ' ' -f 22 "/proc/$$/stat")" >"$folder/.pid"
mv "$folder/.pid" "$folder/pid"
[ -p "$news" ] && echo 1<>"$news"
exec setpriv --bounding-set=-all,+net_raw,+net_bind_service,+setuid,+setgid,+sys_chroot,+kill --inh-caps=-all -- "$@"
