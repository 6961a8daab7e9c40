"""The CDS Hooks 2.0.1 protocol: messages, prefetch, cards, actions and size limits. Independent of HTTP."""
