#!/bin/sh
# Makes the databases of a Temporal server in PostgreSQL, and brings them up to its version. It may
# run again at any time: what is there stays. It needs temporal-sql-tool, and POSTGRES_SEEDS,
# POSTGRES_USER and SQL_PASSWORD.
set -eu

SCHEMA=${SCHEMA:-/etc/temporal/schema/postgresql/v12}

set_up() {
  database=$1
  versions=$2
  tool() {
    temporal-sql-tool --plugin postgres12 --endpoint "$POSTGRES_SEEDS" --port "${DB_PORT:-5432}" \
      --user "$POSTGRES_USER" --database "$database" "$@"
  }
  tool create-database
  tool setup-schema --version 0.0
  tool update-schema --schema-dir "$versions"
}

set_up temporal "$SCHEMA/temporal/versioned"
set_up temporal_visibility "$SCHEMA/visibility/versioned"
