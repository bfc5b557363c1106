#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The outputs of `report`, and the map of `explain`, in the programs that they are made for: the pictures
# in Chromium and Firefox (clicked, searched; screenshots to look at), the profile in `go tool pprof`,
# documents against their schemas. Prints a line a case; exit status 1 if any failed.
#
# BUILD: where sample_profile and sample_map are; everything is written to $BUILD/formats.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
build=${BUILD:-build}
out=$build/formats
failed=0

run() {
	"$@" || failed=1
}

mkdir -p "$out"
rm -f "$out"/*.svg "$out"/*.png "$out"/*.json "$out"/*.top "$out"/*.pb.gz
cp tests/formats/package.json "$out/"
if ! npm install --prefix "$out" --no-audit --no-fund --no-save >"$out/npm.log" 2>&1; then
	tail -n 20 "$out/npm.log"
	exit 1
fi

for kind in exact sampled hostile many empty; do
	"$build/sample_profile" svg "$kind" >"$out/$kind.svg" &&
		"$build/sample_profile" pprof "$kind" >"$out/$kind.pb.gz" &&
		"$build/sample_profile" speedscope "$kind" >"$out/$kind.speedscope.json" &&
		"$build/sample_profile" json "$kind" >"$out/$kind.profile.json" || exit 1
done

for kind in fragmented hostile many sparse empty; do
	"$build/sample_map" svg "$kind" >"$out/map-$kind.svg" || exit 1
done

run node tests/formats/browser.mjs chrome "$(command -v chromium)" "$out"
run node tests/formats/browser.mjs firefox "$(command -v firefox-esr)" "$out"

# no binary to look for symbols in, no cache: all that pprof knows is the file
for kind in exact sampled hostile many; do
	for what in growth shrink; do
		PPROF_TMPDIR=$out PPROF_BINARY_PATH=$out go tool pprof -top -unit=B -nodecount=0 -nodefraction=0 \
			-sample_index="rss_$what" "$out/$kind.pb.gz" >"$out/$kind-$what.top" || failed=1
		run tests/formats/pprof.py "$out/$kind-$what.top" "$out/$kind.profile.json" "$what"
	done
done

run node tests/formats/schemas.mjs "$out" docs/schema.json
echo "screenshots: $out/*.png"
exit $failed
