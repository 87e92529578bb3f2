"""What is measured of a subject, each with a program that people know: iperf3, sockperf, trafgen, wrk."""
