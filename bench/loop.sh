#!/bin/bash
# What people paste into forums: each group, and lspci for each of its devices.
shopt -s nullglob
for group in $(printf '%s\n' /sys/kernel/iommu_groups/* | sort -V); do
    echo "IOMMU Group ${group##*/}:"
    for device in "$group"/devices/*; do
        echo -e "\t$(lspci -nns "${device##*/}")"
    done
done
