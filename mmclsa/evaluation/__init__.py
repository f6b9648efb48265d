"""Evaluation: functions on arrays, the metric around them, reports and devices."""
