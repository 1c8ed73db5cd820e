"""What shells source so that Tab asks the program.

A colon and an equals sign end a word for bash, and are in the middle of ours
(``group:13``, ``bind=01:00.0,vfio-pci``): the script looks at the line itself, and
takes off again what bash has before the last of them.
"""

from __future__ import annotations

__all__ = ["SCRIPTS"]

_BASH = r"""
_iommu_inspect() {
    local line="${COMP_LINE:0:COMP_POINT}" current before offer
    local -a words=()
    read -r -a words <<< "$line"
    [[ "$line" == *[[:space:]] ]] && words+=("")
    current="${words[${#words[@]} - 1]}"
    before="${current%"${current##*[:=]}"}"
    COMPREPLY=()
    while IFS=$'\t' read -r offer _; do
        COMPREPLY+=("${offer#"$before"}")
    done < <(_IOMMU_INSPECT_COMPLETE=1 "${words[0]}" "${words[@]:1}" 2> /dev/null)
    if [[ ${#COMPREPLY[@]} == 1 && "${COMPREPLY[0]}" == *= ]]; then
        compopt -o nospace
    fi
}
complete -o default -F _iommu_inspect iommu-inspect
"""
_ZSH = r"""
#compdef iommu-inspect
_iommu_inspect() {
    local line
    local -a offers
    for line in "${(@f)$(_IOMMU_INSPECT_COMPLETE=1 $words[1] \
        "${(@)words[2,CURRENT]}" 2> /dev/null)}"; do
        [[ -n "$line" ]] || continue
        offers+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
    done
    if (( ${#offers} )); then
        _describe -V 'word' offers
    else
        _files
    fi
}
if [[ "$funcstack[1]" == _iommu_inspect ]]; then
    _iommu_inspect "$@"
else
    compdef _iommu_inspect iommu-inspect
fi
"""
_FISH = r"""
function __iommu_inspect
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -lx _IOMMU_INSPECT_COMPLETE 1
    set -l offers ($words[1] $words[2..-1] "$current" 2> /dev/null)
    if test (count $offers) -gt 0
        printf '%s\n' $offers
    else
        __fish_complete_path "$current"
    end
end
complete -c iommu-inspect -f -k -a '(__iommu_inspect)'
"""
SCRIPTS = {"bash": _BASH.strip(), "zsh": _ZSH.strip(), "fish": _FISH.strip()}
