#!/bin/sh
# Writes what an audit of the node says to a file for Node Feature Discovery, again and
# again. The file is replaced in one step; a node that cannot be read is told as unknown.
#
#     publish.sh [OPTION...]    options of 'iommu-inspect audit', for all rounds
#
# From the environment: HOST_ROOT, the node's files; FEATURES, the file; INTERVAL, the
# seconds between two rounds; ROUNDS, how many there are, if not for ever.
set -u
here=$(dirname "$0")
root=${HOST_ROOT:-/host}
file=${FEATURES:-/features.d/iommu-inspect}
interval=${INTERVAL:-300}
left=${ROUNDS:--1}

# The first process of a container gets no signal that it has not asked for.
trap 'exit 0' TERM INT

while [ "$left" -ne 0 ]; do
    python3 -I "$here/iommu-inspect.pyz" audit \
        --from "$root" --format nfd --output "$file" "$@"
    status=$?
    case $status in
        # Something wrong with the node's groups is what the labels tell.
        0 | 1 | 3) ;;
        # Wrong options, or a folder that may not be written to: nothing mends itself,
        # and a pod that ends is seen.
        2) exit 2 ;;
        # The node cannot be read now, and the labels say so.
        4) ;;
        # Labels of before would say more than is known.
        *) rm -f "$file" ;;
    esac
    left=$((left - 1))
    [ "$left" -eq 0 ] && break
    # In the background, since a shell waits for what it runs before it heeds a signal.
    sleep "$interval" &
    wait $!
done
case $status in 0 | 1 | 3) exit 0 ;; *) exit "$status" ;; esac
