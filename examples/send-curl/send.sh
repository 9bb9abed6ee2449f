#!/bin/sh
# Sends a text and a file through kurir, with curl and nothing else.
#
#     KURIR_URL=http://127.0.0.1:8080 KURIR_KEY=kurir_live_… sh send.sh 081234567890 'Halo!' faktur.pdf order-1042
#
# The last word names this sending, an order number for example: run again with the same, nothing is sent twice.
set -eu

if [ $# -ne 4 ]; then
    echo "usage: send.sh PHONE TEXT FILE NAME_OF_THIS_SENDING" >&2
    exit 2
fi
phone=$1 text=$2 file=$3 name=$4
: "${KURIR_URL:?is not set}" "${KURIR_KEY:?is not set}"

# post ADDRESS IDEMPOTENCY_KEY CURL_ARGUMENTS… says what kurir answered, and fails when kurir refused.
# The key goes through a pipe: arguments can be read by everyone on the machine.
post() {
    address=$1 idempotency_key=$2
    shift 2
    failed=0
    answer=$(printf 'Authorization: Bearer %s\n' "$KURIR_KEY" |
        curl --silent --show-error --fail-with-body --max-time 60 --header @- \
            --header "Idempotency-Key: $idempotency_key" "$@" "${KURIR_URL%/}$address") || failed=$?
    if [ $failed -ne 0 ]; then
        # {"status":false,"code":"…","message":"…", …}: the code is for programs, the message for people.
        code=$(printf '%s' "$answer" | sed -n 's/^[^}]*"code":"\([A-Z_]*\)".*/\1/p')
        message=$(printf '%s' "$answer" | sed -n 's/^[^}]*"message":"\(\([^"\\]\|\\.\)*\)".*/\1/p')
        echo "kurir: ${code:-no answer}: ${message:-$answer}" >&2
        exit 1
    fi
    printf '%s\n' "$answer" | sed 's/^[^}]*"id":"\([^"]*\)".*/\1/'
}

post /wa/send "$name-text" --data-urlencode "phone=$phone" --data-urlencode "body=$text"
# Quotes around the path: curl takes a comma or a semicolon in it for an end otherwise.
quoted=$(printf '%s' "$file" | sed 's/[\\"]/\\&/g')
post /wa/sendfile "$name-file" --form-string "phone=$phone" --form "file=@\"$quoted\""
