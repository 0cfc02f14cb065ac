"""What is known, in the formats of others: one module per format, each with a pure ``render``.

``endpoints_txt``, ``operations_json`` and ``usage_…`` tell what a run used (a ``core.usage.Usage``),
``results_…`` what the audits found (an ``exports.report.Report``), and ``explanation_text`` why costs differ
(a ``core.cost_explain.Explanation``). Names come from logs: what is made for
people to read goes through :func:`auditsvc.exports.plain.visible`.
"""
