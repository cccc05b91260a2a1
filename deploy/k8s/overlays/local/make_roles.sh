#!/bin/bash
# Sourced once by the image, when the data directory is made. Each service owns one schema, which is its search_path.
make_role() {
  psql -v ON_ERROR_STOP=1 -U postgres -d outdial -v role="$1" -v password="$2" <<'SQL'
CREATE ROLE :"role" LOGIN PASSWORD :'password';
CREATE SCHEMA :"role" AUTHORIZATION :"role";
ALTER ROLE :"role" SET search_path = :"role";
SQL
}

make_role lead-router "$ROLE_LEAD_ROUTER"
make_role compliance-gate "$ROLE_COMPLIANCE_GATE"
make_role disposition "$ROLE_DISPOSITION"
make_role analytics "$ROLE_ANALYTICS"
