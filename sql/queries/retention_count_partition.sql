SELECT count(*) FROM {partition}
