"""auditsvc keeps a Kubernetes API's promises honest: typed audits over audit logs, swagger and lists."""

__version__ = "0.1.0"
