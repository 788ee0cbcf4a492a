"""One model's labels as atoms of another model, and how well these explain it."""
