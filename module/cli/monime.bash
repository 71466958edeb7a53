# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Completion of monime(1) for bash: commands, options, and the profiles of the
# folder that -C names.  Kept in step with `monime help` by tests/cli.

_monime_reply() {
	local line

	COMPREPLY=()
	while IFS= read -r line; do
		COMPREPLY+=("$line")
	done < <(compgen "$@")
}

# Profiles are no files: of those bash would show the last part alone.
_monime_files() {
	compopt -o filenames 2>/dev/null
	_monime_reply "$@"
}

# The options of a command.
_monime_options() {
	case $1 in
	check)		echo --token-file --json --verbose --help ;;
	request)	echo --header --data --output --json --verbose --help ;;
	list)		echo --json --names --help ;;
	doctor)		echo --online --json --verbose --help ;;
	set-token)	echo --provider --product --space --owner --purpose \
				--unchecked --verbose --help ;;
	fingerprint)	echo --user --help ;;
	webhook)	echo --signature --body --help ;;
	help)		echo --help ;;
	esac
}

# What an option takes: a kind, or nothing where it stands alone.
_monime_argument() {
	case $1 in
	-C | --folder)			echo folder ;;
	-o | --output | --body | --token-file)
					echo file ;;
	-d | --data)			echo data ;;
	-H | --header)			echo header ;;
	--provider)			echo monime mono ;;
	--product)			echo banking core ;;
	--space | --owner | --purpose | --signature | --user)
					echo free ;;
	esac
}

_monime_complete_argument() {
	case $1 in
	folder)	_monime_files -d -- "$2" ;;
	file)	_monime_files -f -- "$2" ;;
	data)	_monime_files -f -P @ -- "${2#@}" ;;
	header)	_monime_reply -W "Accept: Accept-Language: Content-Type: \
			Idempotency-Key: Monime-Space-Id: Monime-Version: \
			X-Request-Id: traceparent:" -- "$2" ;;
	free)	COMPREPLY=() ;;
	*)	_monime_reply -W "$1" -- "$2" ;;
	esac
}

# The operand at a position of a command.
_monime_operand() {
	case $1:$2 in
	check:0 | request:0 | set-token:0 | fingerprint:0 | webhook:0)
		_monime_reply -W "$("$monime" "${folder[@]}" list --names \
			2>/dev/null)" -- "$3" ;;
	request:1)
		_monime_reply -W "GET HEAD POST PUT PATCH DELETE" -- "$3" ;;
	help:0)
		_monime_reply -W "$commands" -- "$3" ;;
	*)
		COMPREPLY=() ;;
	esac
}

_monime() {
	local commands="check request list doctor set-token fingerprint \
		webhook help"
	local monime=$1 word=$2 command="" kind="" operands=0 i
	local -a folder=()

	# What stands before the word: the command, its operands, and whether
	# the last one wants an argument.
	for ((i = 1; i < COMP_CWORD; i++)); do
		if [[ -n $kind ]]; then
			[[ $kind == folder ]] && folder=(-C "${COMP_WORDS[i]}")
			kind=""
		elif [[ ${COMP_WORDS[i]} == -* ]]; then
			kind=$(_monime_argument "${COMP_WORDS[i]}")
		elif [[ -z $command ]]; then
			command=${COMP_WORDS[i]}
		else
			operands=$((operands + 1))
		fi
	done

	if [[ -n $kind ]]; then
		_monime_complete_argument "$kind" "$word"
	elif [[ -z $command && $word == -* ]]; then
		_monime_reply -W "-C --folder --help --version" -- "$word"
	elif [[ -z $command ]]; then
		_monime_reply -W "$commands" -- "$word"
	elif [[ $word == -* ]]; then
		_monime_reply -W "$(_monime_options "$command")" -- "$word"
	else
		_monime_operand "$command" "$operands" "$word"
	fi
}

complete -F _monime monime
