"""Layer matching: is a layer most like the same layer of another model?"""
