"""A question asked again and again with other values: on one process, on several, or on a cluster of machines.

``grid`` says which points there are, ``block`` computes a piece of one, ``cache`` keeps it, ``workers`` run the pieces
wherever there is room, ``run`` puts them in order, ``table`` makes results of them.
"""
