FROM python:3.12-slim AS build
WORKDIR /src
COPY . .
RUN python -m venv /opt/auditsvc && /opt/auditsvc/bin/pip install --no-cache-dir .

FROM python:3.12-slim
LABEL org.opencontainers.image.title="auditsvc" \
      org.opencontainers.image.description="Typed audits over Kubernetes audit logs" \
      org.opencontainers.image.licenses="Apache-2.0"
# The uid is a number, so that Kubernetes' runAsNonRoot can check it; a new volume takes the owner of /data.
RUN install -d -o 10001 -g 10001 -m 0750 /data
COPY --from=build /opt/auditsvc /opt/auditsvc
ENV PATH="/opt/auditsvc/bin:$PATH" \
    PYTHONUNBUFFERED=1 \
    AUDITSVC_DATA=/data
USER 10001:10001
VOLUME /data
EXPOSE 8080
# http.client, because urllib would ask a proxy that the engine may have put into the environment.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["python", "-c", "\
from http.client import HTTPConnection; \
asked = HTTPConnection('127.0.0.1', 8080, timeout=4); \
asked.request('GET', '/healthz'); \
raise SystemExit(asked.getresponse().status != 200)"]
ENTRYPOINT ["auditsvc"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8080"]
