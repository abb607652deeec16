#!/usr/bin/env bash
# Deploy one service to Cloud Run, with its build stamped, and look whether that serves.
#
#   bin/deploy-service.sh SERVICE [--dirty] [--dry-run] [--region=REGION] [--project=PROJECT]
#
# --dirty: also with changes that are not committed. --dry-run: print what would be run. The folder that is deployed is
# `source` of [service.SERVICE] in MANIFEST (deploy/gcp/manifest.toml). Variables of the service are kept: only
# PHASEGATE_BUILD is changed. Exit: 0 deployed and serving, 1 it is not what serves, 2 nothing was deployed.
set -euo pipefail
manifest=${MANIFEST:-deploy/gcp/manifest.toml}
dirty='' dry='' service='' where=()
for word in "$@"; do
  case $word in
    --dirty) dirty=yes ;;
    --dry-run) dry=yes ;;
    --region=* | --project=*) where+=("$word") ;;
    -*) echo "deploy-service: unknown option $word; see the head of $0" >&2; exit 2 ;;
    *) [[ -z $service ]] || { echo "deploy-service: one SERVICE at a time" >&2; exit 2; }; service=$word ;;
  esac
done
[[ -n $service ]] || { echo "deploy-service: name the SERVICE" >&2; exit 2; }

code=0
stamp=$(phasegate drift "$service" --stamp --manifest "$manifest") || code=$?
[[ $code -le 1 ]] || exit 2
if [[ $code -eq 1 && -z $dirty ]]; then
  echo "deploy-service: files were changed and not committed; commit them, or add --dirty" >&2
  exit 2
fi
read -r build source <<<"$stamp"
[[ -n $source ]] || { echo "deploy-service: $manifest names no source for $service" >&2; exit 2; }

command=(gcloud run deploy "$service" --source="$source" --update-env-vars="PHASEGATE_BUILD=$build" "${where[@]}")
if [[ -n $dry ]]; then
  printf '%q ' "${command[@]}"
  echo
  exit 0
fi
"${command[@]}" >&2 || { echo "deploy-service: gcloud has not deployed $service; what served before serves" >&2; exit 2; }

state=$(mktemp -d)
trap 'rm -rf "$state"' EXIT
gcloud run services describe "$service" --format=json "${where[@]}" >"$state/$service.json"
code=0
phasegate drift "$service" --manifest "$manifest" --state "$state" --no-documents || code=$?
[[ $code -eq 0 ]] || exit 1
