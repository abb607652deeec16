from tests.support.commands import RUN, Night


def test_leases_shows_who_writes_what_and_how_long_they_may(night: Night) -> None:
    with night.pipeline() as pipeline, pipeline.begin(RUN, step="gamebook") as step:
        night.clock.at += 20
        done = night("leases")
        assert (done.code, done.err) == (0, "")
        assert done.out == (
            "partition                    token  since        left  for\n"
            "nba_raw.gamebook/2026-02-03  1      08:12, 20 s  40 s  begin gamebook\n"
            "\n"
            "1 lease held. Times: America/New_York.\n"
        )
        assert night("leases", "--json").json == {
            "now": "2026-02-04T13:12:20Z",
            "leases": [
                {
                    "key": "lease:main:nba_raw.gamebook:2026-02-03",
                    "warehouse": "main",
                    "table": "nba_raw.gamebook",
                    "partition": "2026-02-03",
                    "token": 1,
                    "held": True,
                    "purpose": "begin gamebook",
                    "since": "2026-02-04T13:12:00Z",
                    "left_s": 40.0,
                }
            ],
            "errors": [],
        }
        night.clock.at += 100
        assert "expired 1 min ago" in night("leases").out
        step.fail("too late")
    assert night("leases").out == "No lease is held.\n"
    assert "  free  begin gamebook\n" in night("leases", "--all").out


def test_a_lease_that_cannot_be_read_is_named_and_left_alone(night: Night) -> None:
    night.scrape(10)
    night.rewrite("lease:main:nba_raw.gamebook:2026-02-03", token="seven")
    before = night.documents()
    done = night("leases", "--all")
    assert done.code == 2
    assert done.err == (
        "phasegate: document lease:main:nba_raw.gamebook:2026-02-03: cannot be read: "
        "Expected `int`, got `str` - at `$.token`\n"
    )
    assert night.documents() == before
