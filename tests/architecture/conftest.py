"""The third party's files are no tests: they run where its distribution is installed."""

collect_ignore = ["third_party"]
