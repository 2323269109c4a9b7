"""What stands behind bin/run, bin/test and bin/check. It starts programs and imports none of ours."""
