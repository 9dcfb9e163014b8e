#!/bin/sh
# Makes the namespace, or changes it to what it must be. It may run again at any time. It needs the
# temporal command, TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE.
set -eu

# For as long, an event that comes again starts no workflow again.
RETENTION=30d

# The server is there before it can do everything.
attempts=60
until temporal operator namespace list > /dev/null 2>&1; do
  attempts=$((attempts - 1))
  if [ "$attempts" -eq 0 ]; then
    echo "Temporal at $TEMPORAL_ADDRESS does not answer" >&2
    exit 1
  fi
  sleep 1
done

if temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" > /dev/null 2>&1; then
  temporal operator namespace update --namespace "$TEMPORAL_NAMESPACE" --retention "$RETENTION"
else
  temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "$RETENTION"
fi

# By it, the UI finds the workflows that subscribe to a source. That it is there is no failure.
temporal operator search-attribute create --namespace "$TEMPORAL_NAMESPACE" \
  --name NextEventSource --type KeywordList
