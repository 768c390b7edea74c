{{- define "backstay.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "backstay.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "backstay.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "backstay.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Where operator and fencer live. */}}
{{- define "backstay.namespace" -}}{{ default .Release.Namespace .Values.namespaceOverride }}{{- end -}}

{{- define "backstay.operator" -}}{{ include "backstay.fullname" . }}-operator{{- end -}}
{{- define "backstay.fencer" -}}{{ include "backstay.fullname" . }}-fencer{{- end -}}

{{/* Where the fencer tells of its health. */}}
{{- define "backstay.fencerPort" -}}{{ .Values.fencer.healthPort | default 8080 }}{{- end -}}

{{/* Under which ServiceAccount each works. Values of before have no `serviceAccount`. */}}
{{- define "backstay.operatorAccount" -}}{{ dig "serviceAccount" "name" "" .Values.operator | default (include "backstay.operator" .) }}{{- end -}}
{{- define "backstay.fencerAccount" -}}{{ dig "serviceAccount" "name" "" .Values.fencer | default (include "backstay.fencer" .) }}{{- end -}}

{{/* How the API server calls them. */}}
{{- define "backstay.operatorUser" -}}system:serviceaccount:{{ include "backstay.namespace" . }}:{{ include "backstay.operatorAccount" . }}{{- end -}}
{{- define "backstay.fencerUser" -}}system:serviceaccount:{{ include "backstay.namespace" . }}:{{ include "backstay.fencerAccount" . }}{{- end -}}

{{- define "backstay.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: {{ include "backstay.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: backstay
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Of an object that has no others: straight behind `metadata:`. */}}
{{- define "backstay.annotations" -}}
{{- with .Values.commonAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
{{- end -}}
{{- end -}}

{{/* With those by which somebody's Prometheus selects. */}}
{{- define "backstay.monitoringLabels" -}}
{{ include "backstay.labels" . }}
{{- with .Values.metrics.labels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Argument: (dict "root" $ "component" "operator") */}}
{{- define "backstay.selector" -}}
app.kubernetes.io/name: {{ include "backstay.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/*
The first that says something: the part's own, the one for both, the operator's (both are built from one source, so the
fencer follows), the chart's own. Values of before this version have no `image` and no `global`.
Argument: (dict "root" $ "image" .Values.operator.image)
*/}}
{{- define "backstay.image" -}}
{{- $both := .root.Values.image | default dict -}}
{{- $operators := .root.Values.operator.image -}}
{{- $global := .root.Values.global | default dict -}}
{{- $registry := coalesce .image.registry $both.registry $global.imageRegistry $operators.registry "" -}}
{{- $name := .image.repository -}}
{{- if $registry }}{{ $name = printf "%s/%s" $registry .image.repository }}{{ end -}}
{{- $host := splitList "/" $name | first -}}
{{- if not (and (contains "/" $name) (or (contains "." $host) (contains ":" $host) (eq $host "localhost"))) -}}
{{- fail (printf "Which registry holds the image %s? None is published, and a name without a registry would be whoever's takes it. Build and push both images (docs/how-to/install.md), then: --set image.registry=registry.example. If this is an upgrade: add --reset-then-reuse-values, or what you set before is forgotten." $name) -}}
{{- end -}}
{{- if .image.digest -}}
{{ $name }}@{{ .image.digest }}
{{- else -}}
{{ $name }}:{{ coalesce .image.tag $both.tag $operators.tag .root.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* One role's rules, from the file that is generated from backstay_api/objects/rbac.py. Argument: (dict "root" $ "name" "operator") */}}
{{- define "backstay.rules" -}}
{{- $all := .root.Files.Get "files/rbac.yaml" | fromYaml -}}
rules:
  {{- get $all .name | required (printf "no rules named %s" .name) | toYaml | nindent 2 }}
{{- end -}}

{{/* The same without the heading, to be added to another's. */}}
{{- define "backstay.moreRules" -}}
{{- $all := .root.Files.Get "files/rbac.yaml" | fromYaml -}}
{{- get $all .name | required (printf "no rules named %s" .name) | toYaml -}}
{{- end -}}

{{/* Of a binding. Argument: groups and users */}}
{{- define "backstay.subjects" -}}
subjects:
  {{- range .groups }}
  - {apiGroup: rbac.authorization.k8s.io, kind: Group, name: {{ . | quote }}}
  {{- end }}
  {{- range .users }}
  - {apiGroup: rbac.authorization.k8s.io, kind: User, name: {{ . | quote }}}
  {{- end }}
{{- end -}}

{{- define "backstay.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "backstay.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* What Deployments of ours have in common. Argument: (dict "root" $ "values" .Values.operator) */}}
{{- define "backstay.scheduling" -}}
{{- with .values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
tolerations:
  # When a node is lost, whoever decides about failover must not wait five minutes for its own.
  - {key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 5}
  - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 5}
  {{- with .values.tolerations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .values.dnsPolicy | default (empty .values.hostNetwork | ternary "" "ClusterFirstWithHostNet") }}
dnsPolicy: {{ . }}
{{- end }}
enableServiceLinks: false
terminationGracePeriodSeconds: 10
securityContext: {{ include "backstay.podSecurityContext" .root | nindent 2 }}
{{- end -}}

{{/*
Where replicas go: apart, if possible. Argument: (dict "root" $ "values" .Values.operator "selector" (dict …))
*/}}
{{- define "backstay.spread" -}}
topologySpreadConstraints:
{{- if .values.topologySpreadConstraints }}
  {{- range .values.topologySpreadConstraints }}
  - {{ merge (deepCopy .) (dict "labelSelector" (dict "matchLabels" (include "backstay.selector" $.selector | fromYaml))) | toYaml | nindent 4 | trim }}
  {{- end }}
{{- else }}
  - maxSkew: 1
    topologyKey: topology.kubernetes.io/zone
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{ include "backstay.selector" .selector | nindent 8 }}
{{- end }}
affinity:
{{- if .values.affinity }}
  {{- toYaml .values.affinity | nindent 2 }}
{{- else }}
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels: {{ include "backstay.selector" .selector | nindent 14 }}
{{- end }}
{{- end -}}

{{/*
How replicas are replaced, and how many ReplicaSets of before are kept. Argument: the part's values
*/}}
{{- define "backstay.rollout" -}}
revisionHistoryLimit: {{ dig "revisionHistoryLimit" 10 . }}
strategy:
{{- if .updateStrategy }}
  {{- toYaml .updateStrategy | nindent 2 }}
{{- else }}
  type: RollingUpdate
  # In the node's network two of one node would want the same port.
  rollingUpdate: {maxUnavailable: 1, maxSurge: {{ if .hostNetwork }}0{{ else }}1{{ end }}}
{{- end }}
{{- end -}}

{{/*
What the kubelet asks, where a value says nothing else. Argument: the part's values
*/}}
{{- define "backstay.probes" -}}
{{- $startup := dict "httpGet" (dict "path" "/healthz" "port" "http") "periodSeconds" 1 "failureThreshold" 60 }}
{{- $liveness := dict "httpGet" (dict "path" "/healthz" "port" "http") "periodSeconds" 10 "timeoutSeconds" 3 }}
{{- $readiness := dict "httpGet" (dict "path" "/readyz" "port" "http") "periodSeconds" 5 "timeoutSeconds" 3 }}
{{- range $name, $probe := dict "startupProbe" $startup "livenessProbe" $liveness "readinessProbe" $readiness }}
{{ $name }}:
  {{- mergeOverwrite $probe (deepCopy (dig $name dict $)) | toYaml | nindent 2 }}
{{- end }}
{{- end -}}

{{/*
A token of one hour for the API server, renewed by the kubelet, where every client looks for it: the ServiceAccount's own is not mounted.
Argument: (dict "root" $ "values" .Values.operator)
*/}}
{{- define "backstay.volumes" -}}
- name: tmp
  emptyDir: {medium: Memory, sizeLimit: 16Mi}
- name: token
  projected:
    defaultMode: 0440
    sources:
      - serviceAccountToken: {path: token, expirationSeconds: 3600}
      - configMap: {name: kube-root-ca.crt, items: [{key: ca.crt, path: ca.crt}]}
      - downwardAPI: {items: [{path: namespace, fieldRef: {fieldPath: metadata.namespace}}]}
{{- with .values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "backstay.volumeMounts" -}}
- {name: tmp, mountPath: /tmp}
- {name: token, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
{{- with .values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/*
CEL: whether some pattern under a word of the row `row` stands for a text. The schema leaves no other characters in them than those
that are replaced here, and plain ones.
Argument: (dict "words" "units" "text" "resource.systemd.unit")
*/}}
{{- define "backstay.allowed" -}}
row.?{{ .words }}.orValue([]).exists(one, ({{ .text }}).matches('^' + one.replace('\\', '\\\\').replace('.', '[.]').replace('$', '[$]').replace('?', '.').replace('*', '.*') + '$'))
{{- end -}}
