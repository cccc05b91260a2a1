"""Generates and checks what a platform team deploys: `deploy/k8s`, the Dockerfile. Offline, without kubectl or Docker.

`python -m tools.manifests generate` writes Kafka topics, users with their ACLs and the network policies from
schemas/topics and the tables here; `check` renders every kustomization (a subset that `kustomize.py` states), validates
each resource against Kubernetes' own schemas and holds the rules of pods.py, wiring.py, settings.py, check.py and
image.py. Every finding names file, resource, field and rule. `secrets` prints what deploy/k8s/external.yaml lists,
freshly made, for a throw-away cluster.
"""
