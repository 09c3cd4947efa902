"""The route table as Envoy resources, served as delta ADS; nothing else talks to Envoy."""
